"""The language that agent, server and search speak: data only, standard library + cattrs + httpx."""
