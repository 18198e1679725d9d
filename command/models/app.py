"""Registers the commands of `zelador models`."""

from __future__ import annotations

import typer

from command.models import card, change, compare, maintain, save, show, transfer

app = typer.Typer(no_args_is_help=True)
app.command("list")(show.list_)
app.command("show")(show.show)
app.command("compare")(compare.compare)
app.command("history")(show.history)
app.command("card")(card.card)
app.command("select")(change.select)
app.command("rollback")(change.rollback)
app.command("annotate")(change.annotate)
app.command("rename")(change.rename)
app.command("delete")(change.delete)
app.command("save")(save.save)
app.command("import")(transfer.import_)
app.command("export")(transfer.export)
app.command("verify")(maintain.verify)
app.command("accept")(maintain.accept)
app.command("collect")(maintain.collect)
app.command("trust")(maintain.trust)
