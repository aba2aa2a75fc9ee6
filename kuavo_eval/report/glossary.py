"""What the words on a page mean, for a person who has never seen the tool."""

from __future__ import annotations

GLOSSARY = {
    "95 % interval": "Where the true value most likely lies: in 19 of 20 evaluations like this "
    "one, the interval holds it. Few trials or episodes give a wide interval.",
    "success": "Part of the trials in which the whole task was done, with Wilson's 95 % interval.",
    "stage": "The steps of a task, e.g. grasped, on the scale, weighed, re-grasped, in the bin. "
    "A trial is credited with the furthest one it reached.",
    "void": "A trial that says nothing about the policy (wrong start, a fault of the rig, an "
    "operator's mistake). It is recorded with its reason and not counted.",
    "wrong task": "The robot did another task than the one it was told.",
    "p-value": "How often a difference at least as big as the one seen would appear if there were "
    "none. Below 0.05 counts as a decision here.",
    "Holm": "Several tasks give chance several tries; Holm's correction raises each p-value so "
    "that all decisions together are wrong at most 5 % of the time.",
    "paired": "Both checkpoints had the same start positions or seeds, so each trial of A is "
    "compared with the same trial of B.",
    "power": "How likely a real difference of the given size is found. 80 % is customary.",
    "e-value": "Evidence that may be looked at after every trial: start at 1, decide at 20.",
    "normalized error": "Mean distance between predicted and recorded action, as part of the "
    "range that the task's demonstrations use (5 % to 95 % quantile), averaged over joints.",
    "skill": "1 is perfect; 0 is no better than not moving; below 0 is worse than not moving.",
    "precision": "Part of the predicted hand events that the demonstrator made, too.",
    "recall": "Part of the demonstrator's hand events that the policy predicted.",
    "F1": "Precision and recall in one number (their harmonic mean): 100 % is every event, and no "
    "other.",
    "hands F1": "How well the hands open and close when the demonstrator's did (within 0.3 s): "
    "100 % is every event, and no other.",
    "lag": "Positive: the policy is late; negative: early.",
    "chatter": "A hand that closes and opens again at once, though the demonstrator's did not.",
    "sensitivity": "How far another instruction moves the actions, as a multiple of what another "
    "draw of noise does. 0: words change nothing.",
    "own instruction fits best": "Part of the frames on which the right instruction gives the "
    "smallest error of all instructions; a policy that ignores words is at chance.",
    "spread": "How far several draws of noise lead apart (standard deviation).",
    "best draw": "Error of the best of several draws: low where one of them is right.",
    "SPARC, change": "Smoothness by the length of the speed's spectrum; below 0 is jerkier than "
    "the demonstration.",
    "LDLJ, change": "Smoothness by the jerk of the movement (logarithm); below 0 is jerkier than "
    "the demonstration.",
    "validation loss": "The flow-matching loss of training, on episodes held out from it, with "
    "fixed noise. Comparable between checkpoints, without a unit.",
    "offline": "Scored on recordings: no robot moved.",
    "held out": "Recorded, but not used in training.",
    "checkpoint": "A saved policy: the weights at some moment of training, with all they need.",
    "instruction": "The sentence that tells the policy what to do.",
    "ACC": "Average over all tasks after the last training stage.",
    "BWT": "Backward transfer: how much earlier tasks changed since they were learned, on average. "
    "Below 0: forgotten.",
    "FWT": "Forward transfer: how much better a task was before its own stage than with the base "
    "model. Above 0: earlier tasks helped.",
    "Forgetting": "Best score that a task ever had before the last stage, minus its last one, on "
    "average over the earlier tasks. 0 is no forgetting.",
    "NBT": "Negative backward transfer: what a task lost on average in all stages after its own. "
    "0.03 with at most 5 % replay is the published mark.",
    "ceiling": "One training on all tasks at once: what the sequence could reach.",
    "floor": "The same sequence without replaying earlier tasks: forgetting without a remedy.",
    "base model": "The pretrained policy before stage 1.",
    "replay": "Data of earlier tasks mixed into a later stage's training.",
    "Spearman": "How well the score ranks the checkpoints: 1 same order as success, -1 reversed.",
    "Pearson": "How well a straight line relates score and success: -1 to 1.",
    "MMRV": "Mean maximum rank violation: success that one loses by trusting the score's order; "
    "0 is best.",
    "unvalidated": "Nobody knows yet whether this offline score predicts success.",
}
"""Term → explanation. Headings of tables that are terms get their explanation by themselves."""
