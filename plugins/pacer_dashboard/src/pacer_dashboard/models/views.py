"""Saved views: a filter of the list with its columns, under a name."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class SavedView(models.Model):
    """A view that somebody saved; ``shared`` ones are offered to everybody, who sees in them what he may see.

    ``first`` is the one that its owner's list begins with.
    """

    id: models.BigAutoField[int, int] = models.BigAutoField(primary_key=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=80)
    query = models.TextField()
    shared = models.BooleanField(default=False)
    first = models.BooleanField(default=False)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("owner", "name"), name="saved_view_name"),)
        ordering = ("name", "id")
