"""An edit's shots, without an artist: a timeline in, plates out, and the timeline with them written back.

In goes what OpenTimelineIO reads (.otio; EDL, FCP XML and AAF with its adapters), of which clips carry a `void` mark;
out come each shot's plates with a manifest, a report, and the timeline with a second media reference for each.
This room talks to a server by `void_client` alone, and looks at no pixel.
"""
