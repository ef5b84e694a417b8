/* The last neurons of a population, fewer than a vector holds, in memory of their own. Included by
 * variants whose vectors have no masks. */

typedef struct {
  int32_t sums[8], current[8], voltage[8], threshold[8], bias[8], kept[8], current_kept[8];
  int16_t small[8];
  uint8_t sent[8];
} pm_rest;

/* Copy neurons `first` to before `count`, at most 8. */
PM_INLINE void pm_take_rest(pm_rest *rest, const int wide, const int uniform,
                            const pm_population *p, const int32_t *sums32, const int16_t *sums16,
                            const int32_t *current, const int32_t *voltage,
                            const int16_t *factors, const int32_t *levels, int32_t first,
                            int32_t count) {
  for (int32_t i = first; i < count; i++) {
    const int32_t k = i - first, at = uniform ? 0 : i;
    if (wide)
      rest->sums[k] = sums32[i];
    else
      rest->small[k] = sums16[i];
    rest->current[k] = current[i];
    rest->voltage[k] = voltage[i];
    rest->threshold[k] = levels[at];
    rest->bias[k] = levels[p->period + at];
    rest->kept[k] = factors[p->period + at];
    rest->current_kept[k] = factors[at];
  }
}

PM_INLINE void pm_put_rest(const pm_rest *rest, const int update, int32_t *current,
                           int32_t *voltage, uint8_t *sent, int32_t first, int32_t count) {
  for (int32_t i = first; i < count; i++) {
    if (update == PM_CURRENT) current[i] = rest->current[i - first];
    voltage[i] = rest->voltage[i - first];
    sent[i] = rest->sent[i - first];
  }
}
