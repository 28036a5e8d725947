def risk_summary(scores, features, options):
    return None
