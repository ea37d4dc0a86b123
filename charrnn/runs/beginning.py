"""What a run begins with on the disk: its plan, and the text where that cannot be read again."""

from contextlib import suppress

from charrnn.corpus import ids_file
from charrnn.corpus.encoded import EncodedCorpus
from charrnn.errors import CharRNNError
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
            ids = corpus.ids
            ids_file.write(folder.corpus, corpus.vocabulary, len(ids), corpus.sha256, [ids])
        plan.write(folder.plan)
    except CharRNNError:
        with suppress(OSError):
            folder.clear()
            folder.path.rmdir()
        raise
