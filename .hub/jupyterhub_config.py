"""JupyterHub on one machine, for a class: the course is shared and read-only.

It was tried with eight students at once (see `README.md` beside it). What belongs to your
place (authentication, spawner, addresses) is left out. The environment that the hub runs in
has the edition's requirements, and `/srv/comp551` is the edition.
"""

c = get_config()  # noqa: F821, which JupyterHub puts here

c.Spawner.notebook_dir = "/srv/comp551"
c.Spawner.default_url = "/lab/tree/lectures/00_start_here.ipynb"
# The package finds that the course can't be written and keeps progress at home.
c.Spawner.environment = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
# Lecture 11a takes the most; held by spawners that can, such as systemd's and Kubernetes's.
c.Spawner.mem_limit = "1G"
c.Spawner.mem_guarantee = "300M"
c.Spawner.start_timeout = 120
# Kernels that idle for half an hour go, and with them the server.
c.Spawner.args = [
    "--MappingKernelManager.cull_idle_timeout=1800",
    "--MappingKernelManager.cull_interval=300",
    "--ServerApp.shutdown_no_activity_timeout=3600",
]
