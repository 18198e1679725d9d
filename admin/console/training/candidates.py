"""The classifiers that a run can compare."""

from __future__ import annotations

# PyCaret's ids of the classifiers, and their names.
CANDIDATES = {
    "lr": "Logistic Regression", "knn": "K Neighbors", "nb": "Naive Bayes", "dt": "Decision Tree",
    "svm": "SVM, linear", "ridge": "Ridge", "rf": "Random Forest", "qda": "Quadratic Discriminant",
    "ada": "AdaBoost", "gbc": "Gradient Boosting", "lda": "Linear Discriminant", "et": "Extra Trees",
    "lightgbm": "LightGBM", "xgboost": "XGBoost", "catboost": "CatBoost",
}  # fmt: skip
