"""All that imports nuke: the node's buttons and events, rendering its inputs, showing its results.

In come knobs and pipes, out go EXRs and a job through void_client; back come EXRs, shown by the node. Nothing here
waits for the server on Nuke's main thread, and nothing is kept in module variables: state lives in knobs and manifests.
"""
