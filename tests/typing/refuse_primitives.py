"""What type checkers refuse of locks, semaphores and limiters."""

from everwarm import Cache

cache = Cache()

cache.lock(3)  # E: arg-type / reportArgumentType
cache.lock("a", "30s")  # E: call-arg / reportCallIssue
cache.semaphore("a")  # E: call-arg / reportCallIssue
cache.semaphore("a", "2")  # E: arg-type / reportArgumentType
cache.limiter("a")  # E: call-arg / reportCallIssue
cache.limiter("a", rate="1/s", kind="leaky")  # E: arg-type / reportArgumentType
cache.limiter("a", rate="1/s").try_acquire("2")  # E: arg-type / reportArgumentType
