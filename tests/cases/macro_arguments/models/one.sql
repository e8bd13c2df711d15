select {{ cents('1') }} as one
