# A time that ends before it begins.
"$ALIGN" search a dog --since 2024-02 --until 2024-01
