"""Label Studio's settings with the wall between readers; named by DJANGO_SETTINGS_MODULE."""

import os

# Label Studio's settings ask Django for themselves while they are being read.
os.environ["DJANGO_SETTINGS_MODULE"] = "label_studio.core.settings.label_studio"  # noqa: TID251
from label_studio.core.settings.label_studio import *  # noqa: F403

os.environ["DJANGO_SETTINGS_MODULE"] = __name__  # noqa: TID251

PROJECT_MIXIN = "overread_wall.organisations.ProjectOfOneOrganisation"
MIDDLEWARE.append(  # type: ignore[name-defined] # noqa: F405 - it came with the star
    "overread_wall.door.Door"
)
