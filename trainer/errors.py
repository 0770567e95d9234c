# ruff: noqa: N818 - `BaseMissing` says what happened; `BaseMissingError` says it twice
"""Everything that can go wrong in the trainer, as sentences for the user.

    TrainerError
    ├── BaseError
    │   ├── BaseMissing              a file of the base folder is not there
    │   ├── BaseDamaged              a file of it is not what was recorded
    │   ├── BaseTooNew               made by a newer nightloom
    │   ├── BaseExists               the folder to be written is taken
    │   ├── UnsupportedArchitecture  not one of the families we know
    │   ├── UnsupportedTokenizer     its tokens cannot be turned into bytes
    │   ├── BaseWantsCode            it asks to run code of its own
    │   ├── PickleWeights            its weights are in a format that can run code
    │   ├── AlreadyQuantised         its weights are not the full-precision ones
    │   └── DiskFull                 no room for the 4-bit file
    ├── AdapterError
    │   ├── AdapterDamaged
    │   ├── AdapterMismatch
    │   └── AdapterUnknown
    ├── CheckpointDamaged
    ├── PlanError                    a night that cannot be done on this base or machine
    │   ├── RankTooLarge
    │   └── BudgetTooSmall
    └── GenerationError
        ├── PromptTooLong
        ├── PromptEmpty
        ├── BadMessages              roles or order that the chat template refuses
        └── BadSampling

A class's docstring is the sentence that the user sees; `{}` are its facts, in order. Facts are
names of files, numbers and fixed phrases, never anybody's text.
"""


class TrainerError(Exception):
    """The trainer could not do this: {}."""

    def __init__(self, *facts: object) -> None:
        self.facts = facts
        super().__init__(" ".join((type(self).__doc__ or "").split()).format(*facts))


class BaseError(TrainerError):
    """The base cannot be used: {}."""


class BaseMissing(BaseError):
    """The base folder has no {}; put the base's folder back as it was made."""


class BaseDamaged(BaseError):
    """The base file {} is damaged ({}); put the base's folder back as it was made."""


class BaseTooNew(BaseError):
    """The base was made by a newer nightloom (format {}, this one reads {}); update nightloom."""


class BaseExists(BaseError):
    """There is already something at {}; choose another place or remove it first."""


class UnsupportedArchitecture(BaseError):
    """Models of the kind {} are not supported; supported are {}."""


class UnsupportedTokenizer(BaseError):
    """The base's tokenizer is not supported: {}."""


class BaseWantsCode(BaseError):
    """The base asks to run code of its own ({}); nightloom never runs code that comes with a
    base."""


class PickleWeights(BaseError):
    """The base's weights are in a format that can run code ({}); only safetensors are read."""


class AlreadyQuantised(BaseError):
    """The weights are quantised already (method {}); name the model in full precision."""


class DiskFull(BaseError):
    """The 4-bit base needs {} bytes of disk and only {} are free."""


class AdapterError(TrainerError):
    """The adapter cannot be used: {}."""


class AdapterDamaged(AdapterError):
    """The adapter is damaged: {}."""


class AdapterMismatch(AdapterError):
    """The adapter belongs to another base."""


class AdapterUnknown(AdapterError):
    """No adapter of that name is loaded."""


class CheckpointDamaged(TrainerError):
    """The checkpoint is damaged; the night starts again from its beginning."""


class PlanError(TrainerError):
    """The night cannot be planned: {}."""


class RankTooLarge(PlanError):
    """The adapter's rank is {}, and the smallest layer of this base allows at most {}; set `rank`
    under [night] in config.toml to that or less."""


class BudgetTooSmall(PlanError):
    """Training on this base takes at least {} of memory, and {} may be used: {}."""

    def __init__(self, least_bytes: int, budget_bytes: int, way_out: str) -> None:
        self.least_bytes, self.budget_bytes, self.way_out = least_bytes, budget_bytes, way_out
        super().__init__(_gigabytes(least_bytes), _gigabytes(budget_bytes), way_out)


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB"


class GenerationError(TrainerError):
    """The request cannot be answered: {}."""


class PromptTooLong(GenerationError):
    """The prompt has {} tokens; this base reads at most {} with room for an answer."""


class PromptEmpty(GenerationError):
    """The prompt is empty, and this base has no begin mark to start from."""


class BadMessages(GenerationError):
    """The conversation cannot be put to this base: {}."""


class BadSampling(GenerationError):
    """The sampling settings are wrong: {}."""
