"""JupyterHub on one machine, for a class: the course is shared and read-only.

Tested with eight students at once (see `README.md` beside it). Site-specific settings
(authentication, spawner, addresses) are left out. The hub's environment has the edition's
requirements installed, and `/srv/comp551` is the edition.
"""

c = get_config()  # noqa: F821, defined by JupyterHub

c.Spawner.notebook_dir = "/srv/comp551"
c.Spawner.default_url = "/lab/tree/lectures/00_start_here.ipynb"
# The package detects that the course is read-only and saves progress in the home folder.
c.Spawner.environment = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
# Lecture 11a takes the most; enforced by spawners that can, such as systemd's and Kubernetes's.
c.Spawner.mem_limit = "1G"
c.Spawner.mem_guarantee = "300M"
c.Spawner.start_timeout = 120
# Kernels that are idle for half an hour are stopped, and then the server.
c.Spawner.args = [
    "--MappingKernelManager.cull_idle_timeout=1800",
    "--MappingKernelManager.cull_interval=300",
    "--ServerApp.shutdown_no_activity_timeout=3600",
]
