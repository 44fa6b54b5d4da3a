"""A study from a script: create it, wait for it, read what came out.

    sevenstep serve
    python examples/script.py 64

The first line, in a terminal of its own, starts the service that the script speaks to; 64 is
how many trials it may spend.
"""

import sys

from service.client import Client, ClientError, InvalidInput


def main(num_trials: int) -> int:
    """Tune the digits; 0 when the study has a result."""
    with Client.from_server_file() as client:  # or Client("http://the-service:8080", token)
        study = client.create(
            name="from a script",
            task="digits",
            budget={"trials": num_trials},
            incumbent={"lr": 0.01, "weight_decay": 0.0, "hidden": 64},
        )
        print(f"Study {study.id}: {client.address}/studies/{study.id}")

        report = client.wait(study.id, progress=True)
        print(f"It is {report.state.value} ({report.reason}).")
        if report.best is None:
            return 1

        best = report.best
        print(f"Best setting: {best.params}")
        print(f"{best.metric} {best.value:.4f} ± {best.standard_error:.4f} on {best.n} samples")
        if report.incumbent is not None:
            print(report.incumbent.sentence)

        for trial in client.trials(study.id, step=5, sort="-value", limit=3):
            print(f"trial {trial.number}: {trial.value:.4f} at epoch {trial.best_epoch}")

        iterations, losses = client.curves(study.id, best.trial)["loss", "val"].to_numpy()
        lowest = losses.argmin()
        print(f"Lowest loss: {losses[lowest]:.3f}, after iteration {iterations[lowest]}")

        for finding in client.findings(study.id):
            if finding.severity != "info":
                print(f"{finding.code}: {finding.action}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(int(sys.argv[1])))
    except InvalidInput as error:
        sys.exit(f"{error.field} does not fit: {error}")
    except ClientError as error:
        sys.exit(str(error))
