"""A project belongs to its organisation alone.

Label Studio Community takes a server for one organisation and lets a user of another one through
wherever it asks the project for permission: task lists, tasks, annotations, the Data Manager.
"""

from typing import Any

from projects.mixins import ProjectMixin


class ProjectOfOneOrganisation(ProjectMixin):
    """What Label Studio mixes into its project; tasks and annotations ask their project."""

    def has_permission(self, user: Any) -> bool:  # noqa: ANN401 - a model of Label Studio's
        """Return whether a user may have to do with this project.

        Parameters
        ----------
        user : User
            Label Studio's.

        Returns
        -------
        bool
            Whether they are in the same organisation.
        """
        at_home = self.organization_id == user.active_organization_id
        return bool(at_home and super().has_permission(user))
