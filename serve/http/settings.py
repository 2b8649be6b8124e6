"""What a server may be told by its environment: every variable, its default and its meaning."""

import difflib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import pydantic
from pydantic import AliasChoices, Field, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from serve.http.keys import ApiKey

Names = Annotated[tuple[str, ...], NoDecode]  # a,b,c rather than a JSON list
PREFIX = "SERVE_"


class SettingsError(Exception):
    """A variable that cannot be used: its name, its value, and what it should be."""


class Settings(BaseSettings):
    """Each field is the variable of that name with SERVE_ before it; an empty one is not set.

    Read with `read_settings`; ``python -m serve --help`` lists them. A request finds them as
    `serve.http.dependencies.Config`.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid", populate_by_name=True
    )

    # What is served
    models_dir: Path = Field(
        Path("models"),
        validation_alias=AliasChoices("SERVE_MODELS_DIR", "MODELS_DIR"),
        description="the folder with a folder for each task; MODELS_DIR is its other name",
    )
    tasks: Names = Field((), description="only these, with commas between; none: all there are")
    default_task: str | None = Field(
        None, description="the task of plain /predict; none: the only one there is"
    )
    reload: bool = Field(True, description="serve what changes in the folder, once it is verified")
    reload_seconds: float = Field(1.0, gt=0, description="how often to look for changes")

    # Where: for `python -m serve`; uvicorn's own command has options for it
    host: str = Field("127.0.0.1", description="the address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="the port to listen on")
    workers: int = Field(1, ge=1, description="processes that share the port")
    proxies: Names = Field(
        (),
        description="addresses of proxies whose X-Forwarded-For tells the client's, with commas; "
        "none: nobody is believed",
    )
    shutdown_seconds: int = Field(30, ge=0, description="for requests under way when it must end")
    metrics_dir: Path | None = Field(
        None, description="where workers share what they count; none: found by itself"
    )

    # How much
    header_seconds: float = Field(10.0, gt=0, description="until a request's headers are there")
    body_seconds: float = Field(
        30.0, gt=0, description="until a body is there, and one more for each kilobyte of it"
    )
    max_body_bytes: int = Field(16 << 20, ge=1, description="of a JSON request")
    max_rows: int = Field(10_000, ge=1, description="of a JSON request")
    threads: int | None = Field(
        None, ge=1, description="that run transformers; none: one for each processor"
    )
    max_waiting: int = Field(
        256, ge=1, description="requests held for transformers; more are told to come back"
    )
    max_file_bytes: int = Field(256 << 20, ge=1, description="of a CSV or Parquet file")
    max_unpacked_bytes: int = Field(
        1 << 30, ge=1, description="of the texts of a Parquet file, once they are unpacked"
    )
    max_file_rows: int = Field(1_000_000, ge=1, description="of a CSV or Parquet file")
    rate_limit: float | None = Field(
        None, gt=0, description="requests a second, for each key or else each address and worker"
    )
    rate_burst: int = Field(20, ge=1, description="requests that may come at once")

    # For whom
    api_keys: Names = Field(
        (),
        description="lines of `python -m serve.http.keys new`, between commas; none: everybody",
    )
    public_details: bool = Field(
        False, description="show /openapi.json and the details of /ready without a key, too"
    )
    cors_origins: Names = Field(
        (), description="whose web pages may ask, as https://host, with commas between"
    )

    # What is written down
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="the least that is logged: debug, info, warning or error"
    )
    log_requests: bool = Field(
        False, description="log a line for each request, which costs half of the throughput"
    )
    prediction_log: Path | None = Field(
        None, description="a folder for what is asked and answered, for drift monitoring; none: off"
    )
    prediction_log_redact: Names = Field(
        (), description="columns whose values it leaves out, with commas between"
    )
    prediction_log_share: float = Field(1.0, gt=0, le=1, description="of the requests it keeps")
    prediction_log_bytes: int = Field(64 << 20, ge=1, description="of one of its files")
    prediction_log_files: int = Field(16, ge=1, description="of it, before the oldest go")
    log_values: bool = Field(False, description="let the log hold error texts that quote values")

    @field_validator(
        "tasks", "proxies", "api_keys", "cors_origins", "prediction_log_redact", mode="before"
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part for part in (part.strip() for part in value.split(",")) if part)

    @field_validator("api_keys")
    @classmethod
    def _are_hashes(cls, lines: tuple[str, ...]) -> tuple[str, ...]:
        for line in lines:
            ApiKey.parse(line)
        return lines


def read_settings() -> Settings:
    """Return the environment's settings; raises SettingsError that names each wrong variable."""
    problems = [*_find_unknown()]
    try:
        settings = Settings()
    except pydantic.ValidationError as error:
        problems += map(_describe_problem, error.errors())
        raise SettingsError("; ".join(problems)) from error
    if problems:
        raise SettingsError("; ".join(problems))
    return settings


def _find_unknown() -> Iterator[str]:
    """Yield what is wrong with variables that mean nothing: misspelt, they would leave a default.

    A server whose SERVE_API_KEY is read by nobody would be open to everybody.
    """
    known = [name.upper() for name in Settings.model_fields]
    named = {f"{PREFIX}{name}" for name in known}
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and name.upper() not in named:
            word = name.upper().removeprefix(PREFIX)
            near = difflib.get_close_matches(word, known, n=1)
            hint = (
                f"did you mean {PREFIX}{near[0]}?"
                if near
                else "`python -m serve --help` lists them all"
            )
            yield f"{name} is no setting: {hint}"


def _describe_problem(item: ErrorDetails) -> str:
    name = str(item["loc"][0])
    name = name if name.isupper() else f"{PREFIX}{name.upper()}"
    message = item["msg"].removeprefix("Value error, ")
    if name == f"{PREFIX}API_KEYS":
        return f"{name} cannot be used: {message}"
    return f"{name} is {str(item['input'])[:80]!r}: {message}"


def describe_settings() -> str:
    """Return a line for each variable, with its default and its meaning."""
    return "\n".join(
        f"  {PREFIX}{name.upper()}  {field.description} [{_format_default(field.default)}]"
        for name, field in Settings.model_fields.items()
    )


def _format_default(default: object) -> str:
    return "none" if default is None or default == () else str(default)
