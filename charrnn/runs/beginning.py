"""What a run begins with on the disk: its plan, and the text where that cannot be read again."""

from contextlib import suppress

from charrnn.corpus import ids_file
from charrnn.corpus.encoded import EncodedCorpus
from charrnn.errors import CharRNNError, RunError
from charrnn.files import atomic
from charrnn.files.run_folder import RunFolder
from charrnn.plan.plan import Plan


def write_beginning(folder: RunFolder, plan: Plan, corpus: EncodedCorpus) -> None:
    """Put the plan in place of all that an earlier run has left in the folder, and the ids of a
    text that came from stdin or a pipe beside it.

    A folder that gets no plan is not left behind. Raises a CharRNNError if there is no room.
    """
    folder.clear()
    try:
        if not plan.corpus.sources:
            _keep_ids(folder, corpus)
        atomic.write_atomically(folder.plan, plan.to_json().encode())
    except CharRNNError:
        with suppress(OSError):
            folder.clear()
            folder.path.rmdir()
        raise


def read_plan(folder: RunFolder) -> Plan:
    """The plan of the run in the folder; raises RunError if it is missing or damaged."""
    try:
        return Plan.from_json(folder.plan.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        message = f"cannot read {str(folder.plan)!r}: {error.strerror or error}"
        raise RunError(message) from error


def _keep_ids(folder: RunFolder, corpus: EncodedCorpus) -> None:
    ids = corpus.ids
    try:
        ids_file.write(folder.corpus, corpus.vocabulary, len(ids), corpus.sha256, [ids])
    except OSError as error:
        raise RunError(
            f"cannot keep the text in {str(folder.path)!r}: {error.strerror or error}"
        ) from error
