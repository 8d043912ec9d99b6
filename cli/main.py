"""The command `regulars`: what there is, and how whatever goes wrong is said in one line."""

from __future__ import annotations

import sys

import typer
from sqlalchemy.exc import DBAPIError

from cli.at_risk import at_risk
from cli.backup import backup, restore
from cli.campaigns import campaigns_app, contacts_app
from cli.churn_window import churn_window
from cli.console import complain
from cli.customers import customers_app
from cli.database import db_app
from cli.demo import demo
from cli.doctor import doctor
from cli.evaluate import evaluate
from cli.explain import explain
from cli.ingest import ingest_app
from cli.keys import keys_app
from cli.models import models_app
from cli.propensity import propensity
from cli.prune import prune
from cli.report import report_app
from cli.score import score
from cli.segments import segments_app
from cli.serve import serve, worker
from cli.simulate import simulate
from cli.sources import sources_app
from cli.sync import sync
from cli.targets import targets_app
from cli.train import train
from cli.webhooks import webhooks_app
from features.exceptions import FeatureError
from models.exceptions import ModelError
from service.exceptions import ServiceError
from store.exceptions import StoreError
from training.exceptions import TrainingError

__all__ = ["app", "main"]

app = typer.Typer(
    name="regulars",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Which customers are about to leave, what each is worth, and why.",
)
app.add_typer(db_app, name="db")
app.add_typer(ingest_app, name="ingest")
app.command("train")(train)
app.command("evaluate")(evaluate)
app.command("score")(score)
app.command("at-risk")(at_risk)
app.command("churn-window")(churn_window)
app.command("propensity")(propensity)
app.command("explain")(explain)
app.add_typer(segments_app, name="segments")
app.command("sync")(sync)
app.add_typer(campaigns_app, name="campaigns")
app.add_typer(contacts_app, name="contacts")
app.add_typer(report_app, name="report")
app.add_typer(targets_app, name="targets")
app.add_typer(models_app, name="models")
app.add_typer(sources_app, name="sources")
app.add_typer(keys_app, name="keys")
app.add_typer(webhooks_app, name="webhooks")
app.command("doctor")(doctor)
app.add_typer(customers_app, name="customers")
app.command("prune")(prune)
app.command("backup")(backup)
app.command("restore")(restore)
app.command("worker")(worker)
app.command("serve")(serve)
app.command("demo")(demo)
app.command("simulate")(simulate)

_BAD_INPUT = 2


def main() -> None:
    """Run the command line; exit code 2 and one line on bad input, 130 when interrupted, 1 when nobody reads on."""
    try:
        exit_code = app(standalone_mode=False)
    except typer.TyperException as error:
        # Help, asked for by giving no arguments, has been printed and leaves no message.
        if message := error.format_message():
            complain(f"{message.rstrip('.')}. The same command with --help says more.")
        sys.exit(error.exit_code)
    except (FeatureError, ModelError, ServiceError, StoreError, TrainingError) as error:
        complain(str(error))
        sys.exit(_BAD_INPUT)
    except DBAPIError as error:
        complain(f"The database can't be used: {error.orig}. Check REGULARS_DATABASE_URL.")
        sys.exit(_BAD_INPUT)
    except OSError as error:
        complain(f"{error.strerror or error}: {error.filename}" if error.filename else str(error))
        sys.exit(_BAD_INPUT)
    sys.exit(exit_code)
