"""The routes of the console. Users, roles and tokens get their place here: every route is to ask who calls."""

from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, HTTPException, Response, WebSocket
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field

from privcam_console.live.channel import CameraChannel
from privcam_console.live.hub import Hub
from privcam_console.live.messages import PARTS
from privcam_console.server.guard import App, Guard
from privcam_console.server.live_socket import serve_live
from privcam_core.types.sight import describe_sight

STATIC = Path(__file__).resolve().parents[1] / "static"
API = "/api/v1"
# A digest names one picture for ever; it stays in this browser only, because not everybody may see every room.
IMMUTABLE = "private, max-age=31536000, immutable"


class CameraStatus(BaseModel):
    """One camera, as the console knows it now."""

    camera_id: str
    state: str = Field(description="offline, stale, blind or live")
    sight: str = Field(description="what the camera sees, in words")
    age_s: float = Field(description="since the last Ω came, in s; 0 if none ever did")
    recognised: bool = Field(description="whether reports of recognition come")
    width: int = Field(description="of the environment, px; 0 before the first Ω")
    height: int = Field(description="of the environment, px; 0 before the first Ω")
    people: int
    passed: bool = Field(description="whether the privacy engine's verdict is PASS")
    withheld_fraction: float = Field(description="fraction of the picture that is withheld")
    replay: bool = Field(description="whether this is a recording: nothing of it happens now")


class Cameras(BaseModel):
    """All cameras."""

    cameras: list[CameraStatus]


def create_app(hub: Hub) -> App:
    """Return the application. hub: the cameras that it shows."""
    app = FastAPI(title="privcam console", openapi_url=f"{API}/openapi.json", docs_url=None, redoc_url=None)

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html", media_type="text/html")

    @app.get(f"{API}/cameras")
    async def cameras() -> Cameras:
        """List the cameras, by name."""
        return Cameras(cameras=[_status(channel) for channel in hub.cameras()])

    @app.get("/env/{digest}", response_class=Response, responses={200: {"content": {"image/png": {}}}, 404: {}})
    async def environment(digest: Annotated[str, PathParameter(pattern="^[0-9a-f]{64}$")]) -> Response:
        """Return an environment picture that the console holds now, as the PNG that came."""
        png = hub.environments.get(bytes.fromhex(digest))
        if png is None:
            raise HTTPException(404, "The console does not hold this picture (any more).")
        return Response(png, media_type="image/png", headers={"cache-control": IMMUTABLE})

    @app.websocket("/live/{camera_id}")
    async def live(socket: WebSocket, camera_id: str) -> None:
        await serve_live(socket, hub.channel(camera_id))

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return Guard(app)


def _status(channel: CameraChannel) -> CameraStatus:
    state, frame = channel.state(), channel.frame
    hello, pose = (frame.hello, frame.pose) if frame else (None, None)
    return CameraStatus(
        camera_id=channel.camera_id,
        state=state.state.name.lower(),
        sight=describe_sight(state.sight),
        age_s=state.age_ms / 1000,
        recognised=state.recognised,
        width=hello.width if hello else 0,
        height=hello.height if hello else 0,
        people=len(pose.subjects) if pose else 0,
        passed=bool(pose and pose.passed),
        withheld_fraction=pose.withheld / PARTS if pose else 0.0,
        replay=bool(pose and pose.replay),
    )
