"""An API server that lives in one process: the Kubernetes API as far as nodemend leans on it.

api = ApiServer(clock=clocks.wall)                      # server.py: requests in, answers out
plane = ControlPlane(api)                               # controllers/plane.py: taints, budgets,
#   namespaces, garbage; await plane.run()
client = Client(LocalTransport(api), manager="me")      # local.py: in this process, no sockets
async with http.serve(api) as served:                   # http.py: on loopback, for kubectl
write_kubeconfig(path, served.url)
Direct(api).create("nodes", {"metadata": {"name": "a"}})  # direct.py: without a loop
"""
