# ruff: noqa: N818 - `DownloadCutOff` says what happened; `DownloadCutOffError` says it twice
"""What can go wrong while a base is added. The docstring of an error is the user's sentence.

    AddingError
    ├── NameInvalid
    ├── NameTaken
    ├── NameNeeded               none can be made of the folder's or the repository's
    ├── SourceInvalid            neither a folder nor a hub's id
    ├── FolderMissing
    ├── NotAFolder
    ├── AlreadyAdding            another command is at it
    ├── OtherUnfinished          something else was begun under this name
    ├── LicenceNotAccepted
    ├── LicenceDiffers
    ├── NoRoom
    ├── BaseRefused              by policy: it would run code
    ├── BaseNotMade              it cannot be made into a base
    ├── MakerStopped             it cannot go on now
    ├── MakerDied
    ├── RepositoryRefused        what it holds, seen before anything is downloaded
    │   ├── RepositoryLacks
    │   ├── OnlyPickles
    │   ├── FileTooLarge
    │   └── FileUnverifiable
    └── HubError
        ├── HubOffline
        ├── HubAddressInvalid
        ├── HubUnreachable
        ├── HubRefused
        ├── RepositoryUnknown
        ├── RepositoryClosed
        ├── RevisionUnknown
        ├── DownloadCutOff
        └── DownloadCorrupted

Facts in braces are names, numbers and fixed words, all of them checked before they are shown.
"""

from daemon.errors import DaemonError


class AddingError(DaemonError):
    """The base could not be added."""


class NameInvalid(AddingError):
    """This is no name for a base; use up to 64 letters, digits, dots, dashes and underscores that
    begin with a letter or digit."""


class NameTaken(AddingError):
    """There is a base named {} already; choose another name with --name, or remove that one first
    with `nightloom base remove`."""


class NameNeeded(AddingError):
    """No name for the base can be made of its source's; give one with --name."""


class SourceInvalid(AddingError):
    """This is neither a folder nor the id of a model on the hub; an id is OWNER/NAME, as in
    Qwen/Qwen2.5-1.5B-Instruct."""


class FolderMissing(AddingError):
    """There is nothing at this path; look whether it is right and the disk is there."""


class NotAFolder(AddingError):
    """This is not a folder; name the folder that holds config.json and the safetensors files."""


class AlreadyAdding(AddingError):
    """Another command is adding a base named {} at this moment; wait until it is done."""


class OtherUnfinished(AddingError):
    """Something else was begun under the name {} ({}); drop it with `nightloom base remove {}`, or
    choose another name with --name."""


class LicenceNotAccepted(AddingError):
    """The licence ({}) was not accepted, so nothing was downloaded or added; a script accepts it
    with --accept-licence {}."""


class LicenceDiffers(AddingError):
    """The licence is {} and not the one that was accepted with --accept-licence, so nothing was
    downloaded or added."""


class NoRoom(AddingError):
    """Adding this base needs {} of disk ({} for the 4-bit base, {} for the largest file of its
    download) and only {} are free; make room and run the command again."""


class BaseRefused(AddingError):
    """{}"""


class BaseNotMade(AddingError):
    """{}"""


class MakerStopped(AddingError):
    """{}"""


class MakerDied(AddingError):
    """The process that makes the 4-bit weights was ended by the system, perhaps for want of memory;
    what was done is kept, so run the command again."""


# --------------------------------------------------------------------------- repositories


class RepositoryRefused(AddingError):
    """The repository cannot be used."""


class RepositoryLacks(RepositoryRefused):
    """The repository has no {}, without which it cannot be made into a base."""


class OnlyPickles(RepositoryRefused):
    """The repository's weights are in a format that can run code ({}); only safetensors are
    downloaded, so look for a copy of the model in that format."""


class FileTooLarge(RepositoryRefused):
    """The repository's {} is far larger than such a file should be, so nothing was downloaded."""


class FileUnverifiable(RepositoryRefused):
    """The hub gives no digest for {}, so that a download could not be verified; nothing was
    downloaded."""


# --------------------------------------------------------------------------- the network


class HubError(AddingError):
    """The hub could not be asked."""


class HubOffline(HubError):
    """HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set, so nothing is downloaded; unset it and run the
    command again."""


class HubAddressInvalid(HubError):
    """HF_ENDPOINT is not the address of a hub; it begins with https:// or http://."""


class HubUnreachable(HubError):
    """The hub at {} cannot be reached; look whether this machine is online and run the command
    again."""


class HubRefused(HubError):
    """The hub answered with {} instead of what was asked for; run the command again later."""


class RepositoryUnknown(HubError):
    """The hub knows no model {}, or shows it to nobody who is not logged in; look at how its id is
    written, and set HF_TOKEN if it is private."""


class RepositoryClosed(HubError):
    """The model {} is given only to those who accepted its terms on the hub's website; accept them
    there, set HF_TOKEN to a token of yours and run the command again."""


class RevisionUnknown(HubError):
    """The model {} has no revision {}; give a branch, a tag or a commit that it has."""


class DownloadCutOff(HubError):
    """The download of {} was cut off; what came is kept, so run the command again to go on from
    there."""


class DownloadCorrupted(HubError):
    """What was downloaded as {} has not the digest that the hub gives for it and was thrown away;
    run the command again."""
