/* 128-bit integers, which sums and products of 64-bit ones need. */
#ifndef FCT_WIDE_H
#define FCT_WIDE_H

__extension__ typedef unsigned __int128 fct_u128;

#endif
