"""Points a second through the endpoint that workers use, beside MLflow's server.

Everything a worker's batch passes is passed: authentication, validation, the fence, the
effect of once, and a commit on the disk before the answer.
"""
