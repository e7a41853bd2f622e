# The table for people: its lines, without the numbers.
for tower in image text; do
    "$ALIGN" bench --model "$DATA/models/tiny" --tower $tower --seconds 1 --threads 1 --layers |
        sed 's/ [0-9.]*%/ N/g; s/ [0-9][0-9.]*/ N/g; s/-[0-9]* /-N /; s/, [a-z0-9]*: median/, I: median/; s/  */ /g'
done
