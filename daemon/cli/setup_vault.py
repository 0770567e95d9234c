"""The guide's first step: the vault, what opens it, and a real trial of what opens it by itself."""

from typing import TYPE_CHECKING

from daemon.cli.init import chosen_opening, create_vault, usable_keeper, vault_ready
from daemon.cli.key import NAMES, added_text
from daemon.cli.output import say
from daemon.cli.reaching import home
from daemon.cli.setup_guide import Guide
from daemon.cli.setup_trial import UNTIL_THEN, Trial, advice, tried
from storage.slots import RECOVERY, read_slots
from storage.vault_layout import SLOTS

if TYPE_CHECKING:
    from storage.unattended import Keeper

NOT_WRITTEN = (
    "It cannot be shown again. `nightloom key remove recovery` and then `nightloom setup vault`\n"
    "make a new one."
)
LOGGED_IN = "The keyring opens when you log in; after a restart the vault waits for that."


def take(guide: Guide) -> bool:
    if not home().vault_exists():
        if not guide.confirm("Make the vault now?", default=True):
            return False
        _make(guide)
    else:
        say(f"✓ There is a vault. It is opened by: {', '.join(_named(_kinds()))}.")
        _complete(guide)
    _show_trial()
    return True


def _make(guide: Guide) -> None:
    opening = chosen_opening(guide.passphrase_file, None)
    with guide.interrupts.held():  # a vault whose recovery key nobody saw is half a vault
        recovery_key = create_vault(opening)
        say(f"\n{vault_ready(opening, recovery_key)}\n")
    if opening.passphrase is not None:
        guide.remember(opening.passphrase)
    if not guide.confirm("Is it written down?", default=True):
        say(NOT_WRITTEN)


def _complete(guide: Guide) -> None:
    """Proposes the slots that are missing; nothing opens a vault that nobody agreed to."""
    kinds = _kinds()
    if not _unattended(kinds):
        keeper, problems = usable_keeper()
        if keeper is None:
            say(f"No slot opens it by itself, and none can be made here: {'; '.join(problems)}.")
        elif not guide.yes and guide.confirm(_proposal(keeper), default=True):
            _add(guide, keeper.kind, kinds)
    if RECOVERY not in kinds and not guide.yes:
        question = "It has no recovery key. Make one, to be written down?"
        if guide.confirm(question, default=True):
            _add(guide, RECOVERY, kinds)


def _proposal(keeper: "Keeper") -> str:
    from storage.slot_keeping import slot_facts

    (facts,) = slot_facts([keeper.kind])
    say(
        f"No slot opens it by itself. {_named([keeper.kind])[0].capitalize()} can.\n"
        f"  stops          {facts.stops}\n  does not stop  {facts.does_not_stop}"
    )
    return "Let it open the vault, so that nights need nobody?"


def _add(guide: Guide, kind: str, kinds: list[str]) -> None:
    with guide.service() as service, guide.secret(kinds) as secret:
        say(added_text(service.add_slot(kind, secret, None)))
    guide.stop_own_service()  # the trial opens the vault itself


# --------------------------------------------------------------------------- the trial


def _show_trial() -> None:
    import os

    from daemon.confinement import protect_memory
    from daemon.session_bus import name_session_bus
    from storage.unattended import keepers

    if not _unattended(_kinds()):
        say("· After each start of the service the vault waits for `nightloom unlock`.")
        return
    protect_memory()  # the vault is opened in here
    name_session_bus(os.environ)
    say(trial_text(tried(home().vault, keepers())))


def trial_text(trial: Trial) -> str:
    """What the trial found, and what to do."""
    if trial.by is not None:
        said = f"✓ Tried now: {_named([trial.by])[0]} opened it, and nobody was asked."
        return f"{said}\n  {LOGGED_IN}" if trial.by == "keyring" else said
    lines = ["✗ Tried now, and it did not open by itself."]
    lines += [
        f"  {_named([kind])[0]}: {reason}. {advice(kind, reason)}"
        for kind, reason in trial.reasons.items()
    ]
    return "\n".join([*lines, f"  {UNTIL_THEN} `nightloom setup vault` tries again."])


def _kinds() -> list[str]:
    return [slot.kind for slot in read_slots(home().vault / SLOTS).slots]


def _unattended(kinds: list[str]) -> list[str]:
    from storage.slot_keeping import slot_facts

    return [facts.kind for facts in slot_facts(kinds) if facts.unattended]


def _named(kinds: list[str]) -> list[str]:
    return [NAMES.get(kind, kind) for kind in kinds]
