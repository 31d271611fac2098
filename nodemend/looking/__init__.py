"""What a person sees of a cluster: read fresh, judged by the remediator's code, put in words."""
