"""How often are the estimators right? Mean accuracy on published test sets, seeds 0 to 4, one recipe a set.

The sets are .ts files of timeseriesclassification.com, NAME_TRAIN.ts and NAME_TEST.ts, in a folder `ts` of
ELMAN_DATA; those that are not there are left out. Recipes were chosen by cross-validation within the training
set; the test set was then asked once.
"""
