#ifndef AL_PRODUCTS_H
#define AL_PRODUCTS_H
/* products.h: the products that the tables choose from; each has a file of its own, product_<name>.c. */
#include "kernels/kernels.h"
#endif
