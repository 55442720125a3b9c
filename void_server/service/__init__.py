"""Jobs in and out: a front process (socket, queue; no torch) and one worker process (weights, decoding, everything that
can crash). In come the messages of docs/protocol.md; out go the same, and EXR files in a job's folder in between."""
