"""The middleware settings of the processes that this package starts.

They give image messages enough shared memory, and let more than 32 processes on one machine find each other. This room
knows the middleware and no modules. It changes nothing if the user has configured the middleware.
"""
