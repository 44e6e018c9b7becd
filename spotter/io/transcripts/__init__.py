"""What is said in a half, with times: transcripts of SoccerNet-Echoes, of Whisper, and subtitles."""
