module wspipe/bench

go 1.26.0
