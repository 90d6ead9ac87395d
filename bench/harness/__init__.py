"""What bench/compare and bench/goals share: allocators, processes, samples, servers, tables and charts."""
