"""The rights that the pages of the learning app ask for (hitl_site.lib.access)."""

SEE = ("datasets.view_dataset", "datasets.export_dataset")
ACT = ("datasets.export_dataset",)
CURATE = "datasets.curate_case"
