"""Recorded episodes as training reads them: checked tables, the split, samples, augmentation."""
