"""Says in the reader's language why the file of a model was refused."""

from __future__ import annotations

from collections.abc import Mapping

from admin.console.catalog import mark as _

IMPORTS: Mapping[str, str] = {  # pattern of a message about the file of a model to its translation
    r"it is not an archive of a model \(a zip with manifest\.json\): .+|it contains no manifest\.json": _(
        "This is not a model that Zelador exported: a zip file with manifest.json."
    ),
    r"\S+ cannot be read: .+": _("Its manifest.json is damaged, or says what no model can have."),
    r"its format is (?P<name>\S+); this version supports (?P<wanted>\S+)": _(
        "Its format is %(name)s, and this version reads %(wanted)s."
    ),
    r"its files do not match its manifest, or .+|\S+ is missing, or \S+ does not match how the model is served": _(
        "Its files do not match its manifest: the file is damaged, or was changed."
    ),
    r"it holds (?P<name>['\"].*['\"]), which is not a file of a model; .+": _(
        "It holds %(name)s, which is not a file of a model. For pickles and joblib files use the command zelador "
        "models import, which shows what they contain."
    ),
    r"unpacked it has more than (?P<most>\d+) bytes, or its .+": _("Unpacked, it has more than %(most)s bytes."),
    r"its (?P<name>.+) has more than (?P<most>\d+) bytes": _("Its %(name)s has more than %(most)s bytes."),
    r"its features must have distinct names, and so must its classes": _(
        "Its features must have different names, and so must its classes."
    ),
    r"\S+ holds a model in the format of (?P<name>\S+) \(.+\), which its own parser would read, .+": _(
        "It holds a model in the format of %(name)s, and no key of this registry signed the file. If you know who made "
        "it: zelador models import FILE --trust, on the machine of the registry."
    ),
    r"(?P<name>.+) cannot be saved: it holds (?P<what>.+), which is not on the allow-list .+": _(
        "It holds %(what)s, which is not on the list of allowed types. Train it again with Zelador."
    ),
    r".+: it has no classes, so it cannot classify readings|"
    r".+ cannot be saved: it is not a scikit-learn classifier .+": _("It is not a scikit-learn classifier."),
    r".+ does not answer its golden rows.*|.+golden.+": _(
        "It does not answer its golden rows as it did when it was saved."
    ),
    r".+ (differs from|does not match) its (SHA-256|digest).*|.+ is damaged.*": _("One of its files is damaged."),
    r"it cannot be loaded(: | \().+|.+ cannot be loaded: .+|.+ cannot be saved: .+|"
    r"(.+: )?the process that loaded it sent an invalid reply": _(
        "It cannot be loaded: its files are damaged, or need more memory or time than a model may."
    ),
}
