"""The commands of `zelador models`, put together."""

from __future__ import annotations

import typer

from zelador.cli.models import bring, card, change, keep, look

app = typer.Typer(no_args_is_help=True)
app.command("list")(look.list_)
app.command("show")(look.show)
app.command("compare")(look.compare)
app.command("history")(look.history)
app.command("card")(card.card)
app.command("select")(change.select)
app.command("rollback")(change.rollback)
app.command("annotate")(change.annotate)
app.command("rename")(change.rename)
app.command("delete")(change.delete)
app.command("import")(bring.import_)
app.command("export")(bring.export)
app.command("verify")(keep.verify)
app.command("accept")(keep.accept)
app.command("collect")(keep.collect)
app.command("trust")(keep.trust)
