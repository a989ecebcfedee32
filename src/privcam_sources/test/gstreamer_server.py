"""Runs GStreamer's RTSP server in this process: `python gstreamer_server.py PORT USER PASSWORD MOUNT=PIPELINE ...`.

PORT 0: any free one. USER and PASSWORD empty: everybody may look. Prints the port. Standard library only: the library
is called by its C names. One client gets the pipeline from its beginning; the pipeline is made anew for the next.
"""

import ctypes
import sys

G_TYPE_BOOLEAN, G_TYPE_STRING = 5 << 2, 16 << 2


def load(name: str) -> ctypes.CDLL:
    return ctypes.CDLL(name)


def pointer(function: "ctypes._NamedFuncPointer", *arguments: object) -> ctypes.c_void_p:
    """Call a C function that returns an object."""
    function.restype = ctypes.c_void_p
    return ctypes.c_void_p(function(*arguments))


def main() -> None:
    port, user, password, *mounts = sys.argv[1:]
    gst, rtsp, glib = (load(f"lib{name}.so.0") for name in ("gstreamer-1.0", "gstrtspserver-1.0", "glib-2.0"))
    gst.gst_init(None, None)
    server = pointer(rtsp.gst_rtsp_server_new)
    rtsp.gst_rtsp_server_set_service(server, port.encode())
    rtsp.gst_rtsp_server_set_address(server, b"127.0.0.1")
    points = pointer(rtsp.gst_rtsp_server_get_mount_points, server)
    for mount in mounts:
        path, _, pipeline = mount.partition("=")
        factory = pointer(rtsp.gst_rtsp_media_factory_new)
        rtsp.gst_rtsp_media_factory_set_launch(factory, pipeline.encode())
        if user:
            allowed = [
                item
                for right in (b"media.factory.access", b"media.factory.construct")
                for item in (ctypes.c_char_p(right), ctypes.c_size_t(G_TYPE_BOOLEAN), ctypes.c_int(1))
            ]
            rtsp.gst_rtsp_media_factory_add_role(factory, b"viewer", *allowed, None)
        rtsp.gst_rtsp_mount_points_add_factory(points, path.encode(), factory)
    if user:
        auth = pointer(rtsp.gst_rtsp_auth_new)
        role = (b"media.factory.role", ctypes.c_size_t(G_TYPE_STRING), ctypes.c_char_p(b"viewer"), None)
        token = pointer(rtsp.gst_rtsp_token_new, *role)
        basic = pointer(rtsp.gst_rtsp_auth_make_basic, user.encode(), password.encode())
        rtsp.gst_rtsp_auth_add_basic(auth, basic, token)
        rtsp.gst_rtsp_server_set_auth(server, auth)
    if not rtsp.gst_rtsp_server_attach(server, None):
        sys.exit(f"the port {port} is taken")
    print(rtsp.gst_rtsp_server_get_bound_port(server), flush=True)
    glib.g_main_loop_run(pointer(glib.g_main_loop_new, None, 0))


if __name__ == "__main__":
    main()
