"""A plugin with a post office, and configurations of it: a fine one, and what is wrong with another."""

from pacer_core.config import check
from tests.support import Site

POST = """
    from attrs import frozen
    from datetime import timedelta
    from contextlib import contextmanager
    from pacer_core import ConsumerType, IntegrationType, Secret, hookimpl, task

    @frozen
    class Parcel:
        number: str

    @frozen
    class ScaleOptions:
        url: str
        token: Secret | None = None
        timeout: timedelta = timedelta(seconds=5)
        retries: int = 3

        def __attrs_post_init__(self):
            if self.retries > 9:
                raise ValueError(f"too patient, with token {self.token and self.token.reveal()}")

    @frozen
    class PostOptions:
        express_only: bool = False
        max_weight: float = 20.0

    @frozen
    class StampOptions:
        ink: str = "black"

    @contextmanager
    def open_scale(options):
        yield options

    SCALE = IntegrationType(name="scale", options=ScaleOptions, open=open_scale)
    LORRY = IntegrationType(name="lorry", options=StampOptions, open=open_scale)

    @task(needs=[SCALE])
    def weigh(parcel, ctx):
        pass

    @task(needs=[SCALE], after=[weigh], options=StampOptions)
    def stamp(parcel, ctx):
        pass

    @hookimpl
    def pacer_consumers():
        yield ConsumerType(name="parcels", message=Parcel, tasks=[weigh, stamp], options=PostOptions)
        yield ConsumerType(name="letters", message=Parcel, tasks=[])

    @hookimpl
    def pacer_integrations():
        return [SCALE, LORRY]
"""
TRACK = """
    from parcel_post.plugin import LORRY
    from pacer_core import hookimpl, task

    @task(needs=[LORRY])
    def load(parcel, ctx):
        pass

    @task(needs=[LORRY])
    def unload(parcel, ctx):
        pass

    @hookimpl
    def pacer_tasks(consumer):
        return [load, unload] if consumer == "parcels" else []
"""
FINE = """\
brokers:
  main: {protocol: memory}
exchanges:
  - {name: post}
queues:
  - {name: parcels, exchange: post, routingKey: parcel.sent}
integrations:
  scale: {url: "http://localhost"}
consumers:
  - {type: parcels, queues: [parcels], integrations: [scale]}
"""
ALONE = FINE.replace("exchange: post, ", "")


def found(site: Site, text: str) -> list[str]:
    """Give the problems of a configuration, each without the file's name."""
    file = site.folder / "pacer.yaml"
    file.write_text(text)
    _, problems = check(file)
    return [str(one).removeprefix(f"{file}:") for one in problems]
