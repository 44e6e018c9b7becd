"""Tracking files as data providers write them, of one small game in which the ball runs from the centre spot.

The pitch is 100 by 60 m. Two halves of a second each, 10 or 25 frames per second; the ball runs 20 m/s along the pitch
and 6 m/s across it, home player 7 stands at (-20, 12) from the centre, away player 9 at (30, -15).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

HOME, AWAY = (-20.0, 12.0), (30.0, -15.0)


def ball(time: float) -> tuple[float, float]:
    """Return where the ball is, in metres from the centre."""
    return 20 * time, 6 * time


def metrica(folder: Path) -> None:
    """Write two CSV files; positions from 0 to 1, y from the top."""
    for team, number, (x, y) in (("Home", 7, HOME), ("Away", 9, AWAY)):
        lines = [f",,,{team},,,", f",,,{number},,,", f"Period,Frame,Time [s],Player{number},,Ball,"]
        for frame in range(1, 51):
            at = ball((frame - 1) % 25 / 25)
            cells = (x / 100 + 0.5, 0.5 - y / 60, at[0] / 100 + 0.5, 0.5 - at[1] / 60)
            lines.append(f"{1 + (frame > 25)},{frame},{frame / 25:.2f}," + ",".join(f"{cell:.5f}" for cell in cells))
        (folder / f"Game_1_RawTrackingData_{team}_Team.csv").write_text("\n".join(lines))


def tracab(folder: Path) -> None:
    """Write the DAT file and its flat XML; positions in centimetres from the centre."""
    phases = {1: (1000, 1024), 2: (5000, 5024), 3: (0, 0), 4: (0, 0), 5: (0, 0)}
    cells = "".join(
        f"<Phase{i}StartFrame>{first}</Phase{i}StartFrame><Phase{i}EndFrame>{last}</Phase{i}EndFrame>"
        for i, (first, last) in phases.items()
    )
    (folder / "1_metadata.xml").write_text(
        f"<root><GameID>1</GameID><Kickoff>2024-01-01 12:00:00</Kickoff><FrameRate>25</FrameRate>{cells}"
        "<PitchShortSide>6000</PitchShortSide><PitchLongSide>10000</PitchLongSide></root>"
    )
    lines = []
    for first in (1000, 5000):
        for i in range(25):
            players = [
                f"{team},{k},{number},{100 * x:.0f},{100 * y:.0f},0.0"
                for k, (team, number, (x, y)) in enumerate(((1, 7, HOME), (0, 9, AWAY)))
            ]
            x, y = ball(i / 25)
            lines.append(f"{first + i}:{';'.join(players)};:{100 * x:.0f},{100 * y:.0f},0,0.0,H,Alive;:")
    (folder / "1.dat").write_text("\n".join(lines))


def secondspectrum(folder: Path) -> None:
    """Write the JSONL file and its XML; metres from the centre. The frames of the second half are out of order."""
    periods = '<period iId="1" iStartFrame="0" iEndFrame="24"/><period iId="2" iStartFrame="100" iEndFrame="124"/>'
    (folder / "match_meta.xml").write_text(
        f'<m><match iFrameRateFps="25" fPitchXSizeMeters="100" fPitchYSizeMeters="60">{periods}</match></m>'
    )
    lines = []
    for period in (1, 2):
        for i in range(25) if period == 1 else reversed(range(25)):
            frame = {"period": period, "frameIdx": i, "gameClock": i / 25, "live": True, "lastTouch": "home"}
            for team, number, place in (("homePlayers", 7, HOME), ("awayPlayers", 9, AWAY)):
                frame[team] = [{"playerId": team, "number": number, "xyz": [*place, 0], "speed": 0}]
            lines.append(json.dumps(frame | {"ball": {"xyz": [*ball(i / 25), 0], "speed": 0}}))
    (folder / "tracking.jsonl").write_text("\n".join(lines))


def skillcorner(folder: Path, version: int = 3) -> None:
    """Write match data and frames at 10 per second; in the middle of each half a quarter of the frames is empty."""
    common = {"start_time": "00:00:00", "player_role": {"id": 1}, "first_name": "A", "last_name": "B"}
    players = [
        {"id": 70, "trackable_object": 70, "team_id": 1, "number": 7, **common},
        {"id": 90, "trackable_object": 90, "team_id": 2, "number": 9, **common},
    ]
    teams = {f"{team}_team": {"id": i, "name": team} for i, team in ((1, "home"), (2, "away"))}
    content = {"pitch_length": 100, "pitch_width": 60, **teams, "players": players, "referees": []}
    content |= {"ball": {"trackable_object": 55}, "home_team_score": 0, "away_team_score": 0}
    (folder / "1_match.json").write_text(json.dumps(content))
    frames = []
    for period in (1, 2):
        for i in range(11):
            seconds = 45 * 60 * (period - 1) + i / 10
            clock = f"{int(seconds // 3600):02d}:{int(seconds // 60 % 60):02d}:{seconds % 60:05.2f}"
            known = {"frame": 1000 * period + i, "timestamp": clock, "period": period, "possession": {"group": None}}
            (x, y), (hx, hy), (ax, ay) = ball(i / 10), HOME, AWAY
            if version == 3:
                people = [{"player_id": 70, "x": hx, "y": hy}, {"player_id": 90, "x": ax, "y": ay}]
                frames.append(
                    known | {"ball_data": {"x": x, "y": y, "z": 0}, "player_data": people * (i not in (4, 5))}
                )
            else:
                things = ((55, x, y), (70, hx, hy), (90, ax, ay)) if i not in (4, 5) else ()
                frames.append(known | {"data": [{"trackable_object": t, "x": a, "y": b} for t, a, b in things]})
    if version == 3:
        (folder / "1_tracking_extrapolated.jsonl").write_text("\n".join(map(json.dumps, frames)))
    else:
        (folder / "structured_data.json").write_text(json.dumps(frames))


def sportec(folder: Path) -> None:
    """Write match information and positions of the DFL; metres from the centre."""
    person = 'Shortname="A" FirstName="A" LastName="B" PlayingPosition="TW" Starting="true"'
    teams = "".join(
        f'<Team TeamId="{role}" TeamName="{role}" Role="{role}"><TrainerStaff/>'
        f'<Players><Player PersonId="P{number}" ShirtNumber="{number}" {person}/></Players></Team>'
        for role, number in (("home", 7), ("guest", 9))
    )
    (folder / "info.xml").write_text(
        '<PutDataRequest><MatchInformation><General Result="0:0" KickoffTime="2024-01-01T12:00:00.000+01:00" '
        f'MatchDay="1" MatchId="M"/><Teams>{teams}</Teams><Environment PitchX="100" PitchY="60"/>'
        '<OtherGameInformation TotalTimeFirstHalf="1000" TotalTimeSecondHalf="1000"/></MatchInformation>'
        "</PutDataRequest>"
    )
    sets = []
    for section, first in (("firstHalf", 10_000), ("secondHalf", 100_000)):
        for team, name, place in (("home", "P7", HOME), ("guest", "P9", AWAY), ("BALL", "DFL-OBJ", None)):
            frames = []
            for i in range(25):
                x, y = place or ball(i / 25)
                state = ' BallStatus="1" BallPossession="1"' if place is None else ""
                frames.append(f'<Frame N="{first + i}" X="{x}" Y="{y}" Z="0" S="0"{state}/>')
            head = f'<FrameSet GameSection="{section}" TeamId="{team}" PersonId="{name}">'
            sets.append(head + "".join(frames) + "</FrameSet>")
    (folder / "positions.xml").write_text(f"<PutDataRequest><Positions>{''.join(sets)}</Positions></PutDataRequest>")


WRITERS: dict[str, Callable[[Path], None]] = {
    "metrica": metrica,
    "tracab": tracab,
    "secondspectrum": secondspectrum,
    "skillcorner": skillcorner,
    "skillcorner_v2": lambda folder: skillcorner(folder, version=2),
    "sportec": sportec,
}
