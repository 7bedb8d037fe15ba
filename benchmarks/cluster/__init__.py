"""Two replicas behind nginx, PostgreSQL and Redis: what is lost when parts are killed, and what the second brings."""
