"""Modules that the tests of blueprints compose. They name message types as text, so that they need no ROS."""

from __future__ import annotations

from typing import Literal, Protocol

from dimos_ros import Blueprint, In, Module, Out, QoS, autoconnect, param, rpc


class Resettable(Protocol):
    def reset(self) -> bool: ...


class Camera(Module):
    """Takes pictures.

    Thirty a second.
    """

    image: Out[sensor_msgs / msg / Image] = Out(qos="sensor_data")
    device: str = "/dev/video0"


class ScanReplay(Module):
    scan: Out[sensor_msgs / msg / LaserScan]
    odom: Out[nav_msgs / msg / Odometry]
    rate: float = param(1.0, minimum=0.0, maximum=100.0)


class Localizer(Module):
    scan: In[sensor_msgs / msg / LaserScan]
    pose: Out[geometry_msgs / msg / PoseStamped]

    @rpc
    def reset(self) -> bool:
        """Start again."""
        return True


class GpsLocalizer(Localizer):
    datum: list[float] = [0.0, 0.0]


class Mapper(Module):
    """Occupancy grid from laser scans."""

    scan: In[sensor_msgs / msg / LaserScan]
    map: Out[nav_msgs / msg / OccupancyGrid] = Out(qos="latched")
    resolution: float = param(0.1, minimum=0.001)
    localizer: Localizer | None

    @rpc
    def clear(self) -> int:
        """Forget everything."""
        return 0


class FastMapper(Mapper):
    threads: int = 2


class Planner(Module):
    map: In[nav_msgs / msg / OccupancyGrid] = In(qos="latched")
    localizer: Localizer


class Supervisor(Module):
    target: Resettable


class FleetMap(Module):
    map: In[nav_msgs / msg / OccupancyGrid] = In(qos="latched")
    fleet_map: Out[nav_msgs / msg / OccupancyGrid] = Out(qos="latched")


class Ping(Module):
    pong: Pong

    @rpc
    def ping(self) -> None: ...


class Pong(Module):
    ping: Ping | None

    @rpc
    def pong_it(self) -> None: ...


class Chatter(Module):
    """A module whose stream has the name of another module's, but another type."""

    map: Out[std_msgs / msg / String]


class Picky(Module):
    image: In[sensor_msgs / msg / Image] = In(qos=QoS(reliable=True))


class LateReader(Module):
    odom: In[nav_msgs / msg / Odometry] = In(qos="latched")


class Settings(Module):
    on: bool = False
    count: int = 1
    ratio: float = 0.5
    label: str = "x"
    data: bytes = b""
    flags: list[bool] = [True]
    counts: list[int] = [1]
    ratios: list[float] = [0.5]
    labels: list[str] = ["a"]
    mode: Literal["slow", "fast"] = "slow"
    maybe: float | None = None
    speed: float | None = 1.0
    limited: float = param(0.5, minimum=0.0, maximum=1.0)


class Device(Module):
    port: str
    peer: Device | None


class Isolated(Module):
    dedicated = True


class Triggered(Module):
    """A module with a call and no streams."""

    @rpc
    def reset(self) -> bool:
        return False


robot = autoconnect(ScanReplay.blueprint(), Mapper.blueprint())


def scouts(robots: list[str], resolution: float = 0.1, *, shared: bool = True) -> Blueprint:
    """Return a blueprint of the named robots."""
    one = autoconnect(ScanReplay.blueprint(), Mapper.blueprint(resolution=resolution))
    fleet = autoconnect(*(one.namespace(name, expose={"map"}) for name in robots))
    return autoconnect(fleet, FleetMap.blueprint()) if shared else fleet


def arm(joints: int, tool: str = "gripper", weights: tuple[float, ...] = ()) -> Blueprint:
    return autoconnect(
        Camera.blueprint(device=f"/dev/{tool}"),
        Settings.blueprint(count=joints, ratios=list(weights) or [0.5]),
    )


def broken() -> Blueprint:
    raise RuntimeError("the arm is missing")


def leaving() -> Blueprint:
    raise SystemExit("no licence for this arm")


def forgetful() -> None:
    robot.namespace("a")
