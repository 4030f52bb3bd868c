from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class HitlSiteConfig(AppConfig):
    name = "hitl_site"

    def ready(self) -> None:
        from hitl_site.groups import make_groups

        # The signal is sent for apps with models alone, in the order of INSTALLED_APPS. Ours end with
        # datasets: by then the permissions of all others exist.
        post_migrate.connect(make_groups, sender=apps.get_app_config("datasets"))
