"""One client of Python: so many calls, a hundred at a time; says what each took as a line of JSON."""

import asyncio
import json
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor

AT_A_TIME = 100
WARM = 200


async def of_aiohttp(calls, url):
    import aiohttp

    connector = aiohttp.TCPConnector(limit=AT_A_TIME)
    async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:

        async def call():
            async with session.get(url) as answer:
                return await answer.read()

        return await workers(call, calls)


async def of_httpx(calls, url):
    import httpx

    limits = httpx.Limits(max_connections=AT_A_TIME, max_keepalive_connections=AT_A_TIME)
    async with httpx.AsyncClient(limits=limits, timeout=60, trust_env=False) as client:

        async def call():
            return (await client.get(url)).content

        return await workers(call, calls)


async def workers(call, calls):
    """A hundred workers on one iterator, which is the cheapest that asyncio has."""

    async def work(numbers):
        for _ in numbers:
            assert len(await call()) == 128

    async def all_of(count):
        numbers = iter(range(count))
        await asyncio.gather(*(work(numbers) for _ in range(AT_A_TIME)))

    await all_of(WARM)
    cost = Cost()
    await all_of(calls)
    return cost.of(calls)


def of_requests(calls, url):
    import threading

    import requests

    here = threading.local()

    def call(_):
        session = getattr(here, "session", None)
        if session is None:
            session = here.session = requests.Session()
            session.trust_env = False
        assert len(session.get(url).content) == 128

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(call, range(WARM)))
        cost = Cost()
        list(pool.map(call, range(calls)))
        return cost.of(calls)


class Cost:
    def __init__(self):
        self.computed, self.began = time.process_time(), time.perf_counter()

    def of(self, calls):
        computed, took = time.process_time() - self.computed, time.perf_counter() - self.began
        return {
            "ns": round(computed * 1e9 / calls),
            "allocs": None,
            "instructions": None,
            "net": None,
            "ratio": None,
            "calls": calls,
            "calls in a second": round(calls / took),
            "MiB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        }


def main():
    client, calls, url = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    if client == "aiohttp":
        cost = asyncio.run(of_aiohttp(calls, url))
    elif client == "httpx":
        cost = asyncio.run(of_httpx(max(calls // 10, 1), url))
    elif client == "requests":
        cost = of_requests(max(calls // 10, 1), url)
    else:
        sys.exit(f"there is no client {client}: aiohttp, httpx or requests")
    print(json.dumps({"suite": "http", "case": "100 at a time", "peer": client, **cost}), flush=True)


main()
