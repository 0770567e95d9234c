"""`/forget-this`: what was said here, out of the vault and out of every adapter that learned it.

An exchange that nobody has learned is taken out by itself; where an adapter or a night has it, the
conversation that it stands in is forgotten as `nightloom privacy forget` does, after its cost was
shown.
"""

from typing import Protocol

from daemon.cli.chat_commands import ForgetThis
from daemon.cli.chat_desk import Desk
from daemon.cli.errors import NotConfirmed
from daemon.cli.forget import cost_text, done_text
from daemon.cli.output import Json

NOT_KEPT = "Nothing of it is in the vault; from now on it is not sent any more either."
TAKEN_OUT = "It is out of the vault; no adapter has learned it. It is not sent any more either."
WITH_ALL = "It was learned, so all of the conversation that it stands in goes with it."
A_NIGHT = "The night that works now is learning from it and ends."


class Forgetting(Protocol):
    """The part of `AdminClient` that is needed here."""

    def forgetting_cost(self, what: Json) -> Json: ...

    def forget(self, what: Json) -> Json: ...


class Feedback(Protocol):
    """The part of `InferenceClient` that is needed here."""

    def feedback(self, id: str, *, good: bool) -> bool: ...


def forget_this(act: ForgetThis, desk: Desk, *, service: Forgetting, model: Feedback) -> str:
    """What was done, in words.

    Raises:
        NotConfirmed, AskedInAPipe: nothing was done.
        OperationError: among others where an answer is not remembered any more.
    """
    what = {"answers": list(act.ids)}
    cost = service.forgetting_cost(what)
    if not cost["documents"]:
        return NOT_KEPT
    learned = bool(cost["adapters"] or cost["night"])
    if not learned and not act.everything:
        model.feedback(act.ids[0], good=False)
        return TAKEN_OUT
    if learned:
        said = [] if act.everything else [WITH_ALL]
        said += [A_NIGHT] if cost["night"] else []
        desk.say("\n".join([*said, cost_text(cost)]))
        if not desk.confirm("Forget this?"):
            raise NotConfirmed
    return done_text(service.forget(what))
