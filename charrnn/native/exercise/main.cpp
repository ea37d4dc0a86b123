// Lets every kernel work on odd shapes, on arrays of exactly the right size, for the sanitizers to watch. No Python.

bool exercise_training();  // training.cpp
bool exercise_counting();  // counting.cpp
bool exercise_sampling();  // sampling.cpp

int main() { return exercise_training() && exercise_counting() && exercise_sampling() ? 0 : 1; }
