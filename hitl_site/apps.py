from django.apps import AppConfig
from django.db.models.signals import post_migrate


class HitlSiteConfig(AppConfig):
    name = "hitl_site"

    def ready(self) -> None:
        from hitl_site.groups import make_groups

        # This app is the last in INSTALLED_APPS: every permission exists by then.
        post_migrate.connect(make_groups, sender=self)
