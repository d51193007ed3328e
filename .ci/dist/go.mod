module wspipe/dist

go 1.26.0
